-- What servers published of their keys, for those who ask this server as a notary when they are gone.
create table remote_key_documents (
  server   bytea primary key,
  document bytea not null
);
