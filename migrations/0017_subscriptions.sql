CREATE TABLE `deliveries` (
	`tenant_id` text NOT NULL,
	`subscription_id` text NOT NULL,
	`id` text NOT NULL,
	`seq` integer NOT NULL,
	`event_id` text NOT NULL,
	`event` text NOT NULL,
	`resource` text NOT NULL,
	`status` text NOT NULL,
	`tries` integer NOT NULL,
	`attempts` text NOT NULL,
	`next_attempt_at_ms` integer,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `subscription_id`, `id`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `deliveries_pending` ON `deliveries` (`subscription_id`,`tenant_id`,`id`) WHERE "deliveries"."next_attempt_at_ms" IS NOT NULL;--> statement-breakpoint
CREATE INDEX `deliveries_by_creation` ON `deliveries` (`created_at_ms`);--> statement-breakpoint
CREATE TABLE `subscriptions` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`paths` text NOT NULL,
	`events` text NOT NULL,
	`url` text NOT NULL,
	`sealed_secrets` text NOT NULL,
	`revision` integer NOT NULL,
	`position` integer NOT NULL,
	`disabled_at_ms` integer,
	`disabled_reason` text,
	`failures` integer NOT NULL,
	`failing_since_ms` integer,
	`last_failure_ms` integer,
	`paused_until_ms` integer NOT NULL,
	`due_at_ms` integer,
	`lease_id` text,
	`lease_until_ms` integer NOT NULL,
	`created_by` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `subscriptions_by_name` ON `subscriptions` (`tenant_id`,`name`);