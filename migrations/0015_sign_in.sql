CREATE TABLE `sign_in_issuers` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`issuer` text NOT NULL,
	`settings` text NOT NULL,
	`version` integer NOT NULL,
	`expires_at_ms` integer,
	`created_by` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `sign_in_issuers_by_name` ON `sign_in_issuers` (`tenant_id`,`name`);--> statement-breakpoint
CREATE UNIQUE INDEX `sign_in_issuers_by_issuer` ON `sign_in_issuers` (`tenant_id`,`issuer`);--> statement-breakpoint
CREATE TABLE `used_sign_ins` (
	`tenant_id` text NOT NULL,
	`issuer_id` text NOT NULL,
	`jti_hash` text NOT NULL,
	`expires_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `issuer_id`, `jti_hash`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `used_sign_ins_by_expiry` ON `used_sign_ins` (`expires_at_ms`);