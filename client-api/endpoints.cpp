#include "client-api/client_api.hpp"
