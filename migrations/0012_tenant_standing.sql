ALTER TABLE `tenants` ADD `status` text DEFAULT 'active' NOT NULL;--> statement-breakpoint
ALTER TABLE `tenants` ADD `suspended_at_ms` integer;--> statement-breakpoint
ALTER TABLE `tenants` ADD `suspended_reason` text;--> statement-breakpoint
ALTER TABLE `tenants` ADD `delete_at_ms` integer;--> statement-breakpoint
ALTER TABLE `tenants` ADD `purge_started_at_ms` integer;--> statement-breakpoint
ALTER TABLE `tenants` ADD `pending_entry` text;--> statement-breakpoint
ALTER TABLE `tenants` ADD `default_acme_account_id` text;--> statement-breakpoint
ALTER TABLE `tenants` ADD `default_key_type` text;--> statement-breakpoint
ALTER TABLE `tenants` ADD `default_key_size` integer;--> statement-breakpoint
ALTER TABLE `tenants` ADD `log_retention_days` integer;--> statement-breakpoint
ALTER TABLE `tenants` ADD `certificate_retention_days` integer;--> statement-breakpoint
CREATE INDEX `tenants_by_deletion` ON `tenants` (`delete_at_ms`) WHERE "tenants"."delete_at_ms" IS NOT NULL;--> statement-breakpoint
CREATE INDEX `tenants_with_pending_entry` ON `tenants` (`id`) WHERE "tenants"."pending_entry" IS NOT NULL;