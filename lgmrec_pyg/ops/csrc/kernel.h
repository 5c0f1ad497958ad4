#pragma once

#include <cstdint>

// Every source is compiled once for each instruction set; VERSION is its name, which
// ends the name of every function, so that one library holds all of them.
#define KERNEL_OF(name, version) name##_##version
#define KERNEL_IN(name, version) KERNEL_OF(name, version)
#define KERNEL(name) KERNEL_IN(name, VERSION)

// Bytes of a register. Compilers make poor code of longer vectors.
#if defined(__AVX512F__)
constexpr int REGISTER = 64;
#elif defined(__AVX2__)
constexpr int REGISTER = 32;
#else
constexpr int REGISTER = 16;
#endif

// Calls work(thread, begin, end) on equal shares of [0, size). The threads are those
// of the OpenMP runtime that PyTorch has loaded: between its own loops they wait
// spinning, and threads beside them would have to share their cores.
template <typename Work>
void parallel_for(int64_t size, int num_threads, const Work &work) {
#pragma omp parallel for num_threads(num_threads) schedule(static, 1)
  for (int t = 0; t < num_threads; t++)
    work(t, size * t / num_threads, size * (t + 1) / num_threads);
}
