#include "homeserver/app/command_line.hpp"

// Read by jemalloc at start. Four arenas a core, its default, leave four times as much memory unused here and there as
// a server needs whose work is done by one thread and a few that hand it rows.
extern "C" const char* malloc_conf;
const char* malloc_conf = "narenas:2";

int main(int argc, char** argv) {
  return causeway::run_command_line(argc, argv);
}
