#include "schema/db/tables/devices.hpp"

namespace causeway::db {

DeviceNid upsert_device(Connection& connection, UserNid user, const std::string& device_id,
                        const std::optional<std::string>& display_name, Timestamp now) {
  std::optional<Bytes> name;
  if (display_name) name = Bytes(*display_name);
  // The update changes nothing: it is there for the row's lock and for `returning`.
  const auto rows = connection.exec(
      "insert into devices (user_nid, device_id, display_name, created_ts) values ($1, $2, $3, $4) "
      "on conflict (user_nid, device_id) do update set device_id = excluded.device_id returning device_nid",
      user, Bytes(device_id), name, now);
  return read_int<DeviceNid>(rows[0][0]);
}

void delete_device(Connection& connection, DeviceNid device) {
  connection.exec("delete from devices where device_nid = $1", device);
}

void delete_devices_of(Connection& connection, UserNid user) {
  connection.exec("delete from devices where user_nid = $1", user);
}

}  // namespace causeway::db
