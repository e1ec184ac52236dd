CREATE TABLE `compromised_keys` (
	`tenant_id` text NOT NULL,
	`key_hash` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `key_hash`)
) STRICT, WITHOUT ROWID;
