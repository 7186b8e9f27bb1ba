# cmake -DINPUT=FILE -DOUTPUT=FILE.cpp -DHEADER=INCLUDE -DNAMESPACE=A::B -DNAME=kName -P EmbedFile.cmake
# Writes a source that defines the `const std::string_view` NAME, which HEADER declares, with the bytes of INPUT.
file(READ "${INPUT}" bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
file(WRITE "${OUTPUT}" "#include \"${HEADER}\"\n\nnamespace ${NAMESPACE} {\nnamespace {\n\n"
  "constexpr char kBytes[] = {${bytes}};\n\n}  // namespace\n\n"
  "const std::string_view ${NAME}(kBytes, sizeof kBytes);\n\n}  // namespace ${NAMESPACE}\n")
