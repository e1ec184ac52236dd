CREATE TABLE `tallies` (
	`kind` text PRIMARY KEY NOT NULL,
	`began_at_ms` integer,
	`after_tenant` text NOT NULL,
	`after_id` text NOT NULL,
	`counting` text NOT NULL,
	`counted_at_ms` integer,
	`counted` text NOT NULL,
	`revision` integer NOT NULL
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `certificates_failing` ON `certificates` (`not_after_ms`) WHERE "certificates"."renewal_failures" > 0 AND "certificates"."auto_renew" = 1 AND "certificates"."revoked_at_ms" IS NULL;