// The one place where Beast is compiled; everything else sees declarations only.
#include <boost/beast/src.hpp>
