ALTER TABLE `certificates` ADD `renewal_failures` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `certificates` ADD `renewal_error` text;--> statement-breakpoint
CREATE INDEX `certificates_by_renewal` ON `certificates` (`next_renewal_at_ms`) WHERE "certificates"."next_renewal_at_ms" IS NOT NULL AND "certificates"."open_order_id" IS NULL;