// Whose work it is that uses the database, so that no kind of it can hold all connections.
//
// The share goes with the executor: what is spawned on it, and all that awaits, counts as of that share, and nothing in
// between has to know.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>

namespace causeway::db {

enum class Share {
  common,       // everything else
  heavy,        // clients' reads of whole rooms and accounts
  heavy_peers,  // those of other servers
};
inline constexpr std::size_t shares = 3;

boost::asio::any_io_executor with_share(boost::asio::any_io_executor executor, Share share);

// Of what runs on this thread right now.
Share current_share();

}  // namespace causeway::db
