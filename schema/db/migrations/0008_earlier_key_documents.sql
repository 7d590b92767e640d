-- Documents that a server published before, with keys that the newest no longer has: what they signed is still about.
alter table remote_key_documents add column earlier bytea[] not null default '{}';
