CREATE TABLE `acme_accounts` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`provider` text NOT NULL,
	`environment` text NOT NULL,
	`email` text,
	`directory_url` text NOT NULL,
	`account_url` text,
	`status` text NOT NULL,
	`key_type` text NOT NULL,
	`key_size` integer NOT NULL,
	`sealed_key` text NOT NULL,
	`thumbprint` text NOT NULL,
	`preferred_chain` text,
	`profile` text,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `acme_accounts_by_name` ON `acme_accounts` (`tenant_id`,`name`);--> statement-breakpoint
CREATE TABLE `acme_orders` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`account_id` text NOT NULL,
	`certificate_id` text NOT NULL,
	`purpose` text NOT NULL,
	`requested_by` text NOT NULL,
	`status` text NOT NULL,
	`step` text NOT NULL,
	`domains` text NOT NULL,
	`request` text NOT NULL,
	`report` text NOT NULL,
	`not_after_ms` integer,
	`next_attempt_at_ms` integer,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `acme_orders_by_status` ON `acme_orders` (`tenant_id`,`status`,`id`);--> statement-breakpoint
CREATE INDEX `acme_orders_by_account` ON `acme_orders` (`tenant_id`,`account_id`,`id`);--> statement-breakpoint
CREATE TABLE `certificate_versions` (
	`tenant_id` text NOT NULL,
	`certificate_id` text NOT NULL,
	`version` integer NOT NULL,
	`serial_number` text NOT NULL,
	`not_before_ms` integer NOT NULL,
	`not_after_ms` integer NOT NULL,
	`key_type` text NOT NULL,
	`key_size` integer NOT NULL,
	`leaf_pem` text NOT NULL,
	`chain_pem` text NOT NULL,
	`sealed_private_key` text,
	`revoked_at_ms` integer,
	`revocation_reason` text,
	`replaced_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `certificate_id`, `version`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `certificate_versions_by_serial` ON `certificate_versions` (`tenant_id`,`serial_number`);--> statement-breakpoint
CREATE TABLE `certificates` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`source` text NOT NULL,
	`version` integer NOT NULL,
	`issuer_ca_id` text,
	`acme_account_id` text,
	`common_name` text,
	`display_name` text NOT NULL,
	`names` text NOT NULL,
	`serial_number` text NOT NULL,
	`not_before_ms` integer NOT NULL,
	`not_after_ms` integer NOT NULL,
	`key_type` text NOT NULL,
	`key_size` integer NOT NULL,
	`leaf_pem` text NOT NULL,
	`chain_pem` text NOT NULL,
	`sealed_private_key` text,
	`tags` text NOT NULL,
	`description` text,
	`auto_renew` integer NOT NULL,
	`next_renewal_at_ms` integer,
	`renewal_reason` text,
	`renewal_request` text,
	`open_order_id` text,
	`revoked_at_ms` integer,
	`revocation_reason` text,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `certificates_by_serial` ON `certificates` (`tenant_id`,`serial_number`);--> statement-breakpoint
CREATE INDEX `certificates_by_expiry` ON `certificates` (`tenant_id`,`not_after_ms`,`id`);--> statement-breakpoint
CREATE INDEX `certificates_by_issuer` ON `certificates` (`tenant_id`,`issuer_ca_id`,`id`);--> statement-breakpoint
CREATE TABLE `cron_runs` (
	`job` text PRIMARY KEY NOT NULL,
	`finished_at_ms` integer NOT NULL
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `dns_providers` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`type` text NOT NULL,
	`settings` text NOT NULL,
	`sealed_credentials` text,
	`managed_zones` text,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `dns_providers_by_name` ON `dns_providers` (`tenant_id`,`name`);--> statement-breakpoint
CREATE TABLE `idempotency_keys` (
	`tenant_id` text NOT NULL,
	`token_id` text NOT NULL,
	`key` text NOT NULL,
	`request_hash` text NOT NULL,
	`sealed_answer` text,
	`expires_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `token_id`, `key`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `idempotency_keys_by_expiry` ON `idempotency_keys` (`expires_at_ms`);--> statement-breakpoint
CREATE TABLE `journal` (
	`tenant_id` text NOT NULL,
	`seq` integer NOT NULL,
	`id` text NOT NULL,
	`event` text NOT NULL,
	`actor` text NOT NULL,
	`resource` text NOT NULL,
	`detail` text NOT NULL,
	`request_id` text,
	`at_ms` integer NOT NULL,
	`prev_hash` text NOT NULL,
	`hash` text NOT NULL,
	PRIMARY KEY(`tenant_id`, `seq`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `journal_by_resource` ON `journal` (`tenant_id`,`resource`,`seq`);--> statement-breakpoint
CREATE TABLE `secret_versions` (
	`tenant_id` text NOT NULL,
	`path` text NOT NULL,
	`version` integer NOT NULL,
	`sealed_data` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `path`, `version`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `secrets` (
	`tenant_id` text NOT NULL,
	`path` text NOT NULL,
	`secret_type` text NOT NULL,
	`version` integer NOT NULL,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `path`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `tenants` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`plan` text NOT NULL,
	`created_at_ms` integer NOT NULL
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `tokens` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`token_hash` text NOT NULL,
	`scopes` text NOT NULL,
	`paths` text,
	`expires_at_ms` integer,
	`created_by` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `tokens_by_hash` ON `tokens` (`token_hash`);--> statement-breakpoint
INSERT INTO `tenants` (`id`, `name`, `plan`, `created_at_ms`) VALUES ('ten_00000000000000000000000000', 'default', 'unlimited', 0);
