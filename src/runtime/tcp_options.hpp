#pragma once

#include <boost/asio/ip/tcp.hpp>

namespace boruta::runtime {

/// For a socket whose bytes somebody else wrote: passes each on at once, and notices a peer that vanished without a
/// word after two minutes. Errors are left alone: a socket that broke meanwhile says so when it is used.
void set_relay_options(boost::asio::ip::tcp::socket& socket);

/// Resets the connection when it is closed, so that nothing of it is still delivered.
void reset_on_close(boost::asio::ip::tcp::socket& socket);

}  // namespace boruta::runtime
