#pragma once

namespace boruta {

/// For a unique_ptr to what a C library made: `Free` takes it back.
template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};

}  // namespace boruta
