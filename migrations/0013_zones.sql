CREATE TABLE `zone_certificates` (
	`tenant_id` text NOT NULL,
	`certificate_id` text NOT NULL,
	`zone_id` text NOT NULL,
	`order_id` text NOT NULL,
	`domain` text NOT NULL,
	`holds_domain` integer NOT NULL,
	`created_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `certificate_id`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `zone_certificates_by_domain` ON `zone_certificates` (`tenant_id`,`domain`) WHERE "zone_certificates"."holds_domain" = 1;--> statement-breakpoint
CREATE INDEX `zone_certificates_by_zone` ON `zone_certificates` (`tenant_id`,`zone_id`,`certificate_id`);--> statement-breakpoint
CREATE TABLE `zones` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`dns_provider_id` text NOT NULL,
	`status` text NOT NULL,
	`error` text,
	`record_value` text,
	`record_at_ms` integer,
	`verified_at_ms` integer,
	`checked_at_ms` integer,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `zones_by_name` ON `zones` (`tenant_id`,`name`);--> statement-breakpoint
CREATE INDEX `zones_by_provider` ON `zones` (`tenant_id`,`dns_provider_id`,`id`);--> statement-breakpoint
CREATE INDEX `zones_with_records` ON `zones` (`record_at_ms`) WHERE "zones"."record_value" IS NOT NULL;