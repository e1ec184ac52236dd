ALTER TABLE `dns_providers` ADD `used_secrets` text;--> statement-breakpoint
ALTER TABLE `dns_providers` ADD `removing_at_ms` integer;