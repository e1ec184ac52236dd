CREATE TABLE `expiry_marks` (
	`tenant_id` text NOT NULL,
	`subject` text NOT NULL,
	`threshold_days` integer NOT NULL,
	`through_ms` integer NOT NULL,
	`through_id` text NOT NULL,
	PRIMARY KEY(`tenant_id`, `subject`, `threshold_days`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `certificate_authorities_by_expiry` ON `certificate_authorities` (`tenant_id`,`not_after_ms`,`id`);