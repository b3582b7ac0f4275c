# tamis_room(NAME SOURCES … [LINK …] [TESTS …] [FUZZ …]): a whole room.
#   SOURCES  of the static library tamis_NAME
#   LINK     libraries it needs (public)
#   TESTS    X_test.c beside the sources; all of a room's are one program, one CTest entry
#   FUZZ     X_fuzz.c beside the sources, each with a seed directory tests/fuzz/X: replayed by CTest, and a
#            libFuzzer program fuzz_X under the `fuzz` preset

set(TAMIS_WARNINGS -Wall -Wextra -Wshadow -Wmissing-prototypes -Wvla -Wimplicit-fallthrough)

add_library(tamis_flags INTERFACE)
target_include_directories(tamis_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(tamis_flags INTERFACE _POSIX_C_SOURCE=200809L _XOPEN_SOURCE=700 _FILE_OFFSET_BITS=64
                           TAMIS_VERSION="${PROJECT_VERSION}")
# FMA contraction would make results depend on the compiler (STYLE: determinism).
target_compile_options(tamis_flags INTERFACE -ffp-contract=off $<$<COMPILE_LANGUAGE:C>:${TAMIS_WARNINGS}>
                       $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra>)
if(TAMIS_WERROR)
  target_compile_options(tamis_flags INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-Werror>)
endif()
if(TAMIS_SANITIZE)
  target_compile_options(tamis_flags INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${TAMIS_SANITIZE}>
                         $<$<COMPILE_LANGUAGE:C,CXX>:-fno-omit-frame-pointer>
                         $<$<COMPILE_LANGUAGE:C,CXX>:-fno-sanitize-recover=all>)
  target_link_options(tamis_flags INTERFACE -fsanitize=${TAMIS_SANITIZE})
endif()
if(TAMIS_FUZZ)
  target_compile_options(tamis_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

function(tamis_room name)
  cmake_parse_arguments(R "" "" "SOURCES;LINK;TESTS;FUZZ" ${ARGN})
  add_library(tamis_${name} STATIC ${R_SOURCES})
  target_link_libraries(tamis_${name} PUBLIC tamis_flags ${R_LINK})
  if(TAMIS_TESTS AND R_TESTS)
    add_executable(${name}_test ${R_TESTS} ${CMAKE_SOURCE_DIR}/tests/check.c ${CMAKE_SOURCE_DIR}/tests/alloc_fault.c
                   ${CMAKE_SOURCE_DIR}/tests/made_dataset.c)
    target_link_libraries(${name}_test PRIVATE tamis_${name} tamis_core)
    target_compile_options(${name}_test PRIVATE -Wno-missing-prototypes)
    target_link_options(${name}_test PRIVATE # tests/alloc_fault.h
                        -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc)
    add_test(NAME unit.${name} COMMAND ${name}_test)
    set_tests_properties(unit.${name} PROPERTIES COST 10) # what may take long begins first
  endif()
  foreach(source ${R_FUZZ})
    string(REGEX REPLACE "_fuzz\\.c$" "" target ${source})
    set(seeds ${CMAKE_SOURCE_DIR}/tests/fuzz/${target})
    if(TAMIS_FUZZ)
      add_executable(fuzz_${target} ${source})
      target_link_libraries(fuzz_${target} PRIVATE tamis_${name} tamis_core -fsanitize=fuzzer)
      target_compile_options(fuzz_${target} PRIVATE -Wno-missing-prototypes)
    elseif(TAMIS_TESTS)
      add_executable(replay_${target} ${source} ${CMAKE_SOURCE_DIR}/tests/fuzz_replay.c)
      target_link_libraries(replay_${target} PRIVATE tamis_${name} tamis_core)
      target_compile_options(replay_${target} PRIVATE -Wno-missing-prototypes)
      add_test(NAME replay.${target} COMMAND replay_${target} ${seeds})
    endif()
  endforeach()
endfunction()
