#include "homeserver/app/command_line.hpp"

int main(int argc, char** argv) {
  return causeway::run_command_line(argc, argv);
}
