#include "schema/db/tables/remote_keys.hpp"

#include "schema/db/database.hpp"

namespace causeway::db {

std::vector<RemoteKey> load_remote_keys(Connection& connection, std::string_view server) {
  std::vector<RemoteKey> keys;
  for (const auto& row : connection.exec("select key_id, public_key, valid_until_ts, expired_ts from remote_keys "
                                         "where server = $1 order by valid_until_ts desc limit $2",
                                         Bytes(server), max_keys_of_server)) {
    std::optional<Timestamp> expired;
    if (!row[3].is_null()) expired = row[3].as<Timestamp>();
    keys.push_back({read_bytes(row[0]), read_bytes(row[1]), row[2].as<Timestamp>(), expired});
  }
  return keys;
}

void store_remote_keys(Connection& connection, std::string_view server, const std::vector<RemoteKey>& keys) {
  for (const auto& key : keys)
    connection.exec(
        "insert into remote_keys (server, key_id, public_key, valid_until_ts, expired_ts) values ($1, $2, $3, $4, $5) "
        "on conflict (server, key_id) do update set public_key = excluded.public_key, "
        "valid_until_ts = excluded.valid_until_ts, expired_ts = excluded.expired_ts",
        Bytes(server), Bytes(key.key_id), Bytes(key.public_key), key.valid_until_ts, key.expired_ts);
  connection.exec(
      "delete from remote_keys where server = $1 and key_id in "
      "(select key_id from remote_keys where server = $1 order by valid_until_ts desc offset $2)",
      Bytes(server), max_keys_of_server);
}

std::vector<std::string> key_documents(Connection& connection, std::string_view server) {
  std::vector<std::string> documents;
  for (const auto& row :
       connection.exec("select kept.document from remote_key_documents d, unnest(array_prepend(d.document, d.earlier)) "
                       "with ordinality as kept(document, place) where d.server = $1 order by kept.place limit 100",
                       Bytes(server)))
    documents.push_back(read_bytes(row[0]));
  return documents;
}

void store_key_documents(Connection& connection, std::string_view server, std::span<const std::string> newest_first) {
  connection.exec(
      "insert into remote_key_documents (server, document, earlier) values ($1, $2, $3::bytea[]) "
      "on conflict (server) do update set document = excluded.document, earlier = excluded.earlier",
      Bytes(server), Bytes(newest_first.front()), bytea_array(newest_first.subspan(1)));
  // Anybody can have us ask any server, so of those that share no room with us only the latest are kept.
  connection.exec(
      "with gone as (delete from remote_key_documents where not exists (select from servers where name = $1) "
      "and server in (select d.server from remote_key_documents d "
      "where not exists (select from servers s where s.name = d.server) order by d.ctid desc offset $2) "
      "returning server) delete from remote_keys k using gone where k.server = gone.server",
      Bytes(server), max_documents_of_strangers);
}

}  // namespace causeway::db
