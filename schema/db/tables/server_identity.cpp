#include "schema/db/tables/server_identity.hpp"

#include <stdexcept>

namespace causeway::db {

void claim_server_name(Connection& connection, const ServerName& name) {
  connection.exec("insert into server_meta (key, value) values ('server_name', $1) on conflict do nothing",
                  Bytes(name.str()));
  const auto rows = connection.exec("select value from server_meta where key = 'server_name'");
  const std::string recorded = read_bytes(rows[0][0]);
  if (recorded != name.str())
    throw std::runtime_error("this database belongs to the server " + recorded + ", not to " + name.str() +
                             ": server.name can't be changed after the first start");
}

crypto::SigningKey load_or_make_signing_key(Connection& connection, Timestamp now) {
  const auto load = [&connection] {
    return connection.exec(
        "select key_id, seed from signing_keys where expired_ts is null order by created_ts desc limit 1");
  };
  auto rows = load();
  if (rows.empty()) {
    // spec: server-server-api#publishing-keys: the version is ours to choose; it must not be used twice.
    const auto made = crypto::SigningKey::generate("ed25519:a_" + crypto::random_token(4));
    connection.exec("insert into signing_keys (key_id, seed, created_ts) values ($1, $2, $3)", made.key_id(),
                    Bytes(made.seed()), now);
    rows = load();
  }
  const std::string seed = read_bytes(rows[0][1]);
  return crypto::SigningKey(rows[0][0].as<std::string>(), std::span<const unsigned char, 32>(
                                                              reinterpret_cast<const unsigned char*>(seed.data()), 32));
}

}  // namespace causeway::db
