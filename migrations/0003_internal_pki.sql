CREATE TABLE `ca_certificates` (
	`tenant_id` text NOT NULL,
	`ca_id` text NOT NULL,
	`serial_number` text NOT NULL,
	`issuer_ca_id` text,
	`kind` text NOT NULL,
	`subject_hash` text NOT NULL,
	`certificate_pem` text NOT NULL,
	`not_before_ms` integer NOT NULL,
	`not_after_ms` integer NOT NULL,
	`revoked_at_ms` integer,
	`revocation_reason` text,
	`created_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `ca_id`, `serial_number`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `ca_certificates_by_subject` ON `ca_certificates` (`tenant_id`,`subject_hash`);--> statement-breakpoint
CREATE INDEX `ca_certificates_by_serial` ON `ca_certificates` (`tenant_id`,`serial_number`);--> statement-breakpoint
CREATE TABLE `certificate_authorities` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`ca_type` text NOT NULL,
	`parent_ca_id` text,
	`status` text NOT NULL,
	`common_name` text NOT NULL,
	`key_type` text NOT NULL,
	`key_size` integer NOT NULL,
	`sealed_key` text NOT NULL,
	`serial_number` text NOT NULL,
	`certificate_pem` text NOT NULL,
	`foreign_chain_pem` text NOT NULL,
	`not_before_ms` integer NOT NULL,
	`not_after_ms` integer NOT NULL,
	`max_path_length` integer,
	`permitted_dns_domains` text NOT NULL,
	`excluded_dns_domains` text NOT NULL,
	`crl_partitions` integer NOT NULL,
	`crl_number` integer NOT NULL,
	`crl_published_number` integer NOT NULL,
	`crl_revision` integer NOT NULL,
	`crl_published_revision` integer NOT NULL,
	`crl_this_update_ms` integer,
	`crl_next_update_ms` integer,
	`crl_revoked_count` integer NOT NULL,
	`crl_due_at_ms` integer,
	`issued_count` integer NOT NULL,
	`issued_through` text NOT NULL,
	`revoked_at_ms` integer,
	`revocation_reason` text,
	`cascade_after` text,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `certificate_authorities_by_name` ON `certificate_authorities` (`tenant_id`,`name`);--> statement-breakpoint
CREATE UNIQUE INDEX `certificate_authorities_by_id` ON `certificate_authorities` (`id`);--> statement-breakpoint
CREATE INDEX `certificate_authorities_by_parent` ON `certificate_authorities` (`tenant_id`,`parent_ca_id`,`id`);--> statement-breakpoint
CREATE INDEX `certificate_authorities_by_crl_due` ON `certificate_authorities` (`crl_due_at_ms`) WHERE "certificate_authorities"."crl_due_at_ms" IS NOT NULL;--> statement-breakpoint
CREATE INDEX `certificate_authorities_by_cascade` ON `certificate_authorities` (`cascade_after`) WHERE "certificate_authorities"."cascade_after" IS NOT NULL;--> statement-breakpoint
CREATE TABLE `certificate_terms` (
	`tenant_id` text NOT NULL,
	`term` text NOT NULL,
	`certificate_id` text NOT NULL,
	PRIMARY KEY(`tenant_id`, `term`, `certificate_id`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `csrs` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`origin` text NOT NULL,
	`status` text NOT NULL,
	`csr_pem` text NOT NULL,
	`common_name` text,
	`names` text NOT NULL,
	`key_type` text NOT NULL,
	`key_size` integer NOT NULL,
	`sealed_key` text,
	`created_by` text NOT NULL,
	`decided_by` text,
	`decided_at_ms` integer,
	`rejection_reason` text,
	`certificate_id` text,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `csrs_by_status` ON `csrs` (`tenant_id`,`status`,`id`);--> statement-breakpoint
CREATE TABLE `revocations` (
	`tenant_id` text NOT NULL,
	`ca_id` text NOT NULL,
	`partition` integer NOT NULL,
	`serial_number` text NOT NULL,
	`revoked_at_ms` integer NOT NULL,
	`reason` text NOT NULL,
	`invalidity_date_ms` integer,
	`not_after_ms` integer,
	PRIMARY KEY(`tenant_id`, `ca_id`, `partition`, `serial_number`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `roles` (
	`tenant_id` text NOT NULL,
	`name` text NOT NULL,
	`ca_id` text NOT NULL,
	`policy` text NOT NULL,
	`version` integer NOT NULL,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `name`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `trust_anchors` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`subject_hash` text NOT NULL,
	`fingerprint` text NOT NULL,
	`certificate_pem` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `trust_anchors_by_name` ON `trust_anchors` (`tenant_id`,`name`);--> statement-breakpoint
CREATE INDEX `trust_anchors_by_subject` ON `trust_anchors` (`tenant_id`,`subject_hash`);--> statement-breakpoint
ALTER TABLE `certificate_versions` ADD `issuer_ca_id` text;--> statement-breakpoint
CREATE INDEX `certificate_versions_by_issuer` ON `certificate_versions` (`tenant_id`,`issuer_ca_id`,`certificate_id`,`version`);--> statement-breakpoint
ALTER TABLE `certificates` ADD `role_name` text;--> statement-breakpoint
ALTER TABLE `certificates` ADD `key_origin` text;--> statement-breakpoint
ALTER TABLE `certificates` ADD `ari_start_ms` integer;--> statement-breakpoint
ALTER TABLE `certificates` ADD `ari_end_ms` integer;--> statement-breakpoint
ALTER TABLE `certificates` ADD `ari_check_at_ms` integer;--> statement-breakpoint
ALTER TABLE `certificates` ADD `ari_explanation_url` text;--> statement-breakpoint
CREATE INDEX `certificates_by_ari_check` ON `certificates` (`ari_check_at_ms`) WHERE "certificates"."ari_check_at_ms" IS NOT NULL;--> statement-breakpoint
CREATE INDEX `certificates_by_source` ON `certificates` (`tenant_id`,`source`,`id`) WHERE "certificates"."source" <> 'internal';--> statement-breakpoint
CREATE INDEX `certificates_by_revocation` ON `certificates` (`tenant_id`,`id`) WHERE "certificates"."revoked_at_ms" IS NOT NULL;--> statement-breakpoint
ALTER TABLE `tenants` ADD `terms_through` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `tenants` ADD `allows_self_approval` integer DEFAULT true NOT NULL;