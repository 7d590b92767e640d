#include "homeserver/http/server.hpp"
