#pragma once

#include <cstdint>

// Calls work(thread, begin, end) on equal shares of [0, size). The threads are those
// of the OpenMP runtime that PyTorch has loaded: between its own loops they wait
// spinning, and threads beside them would have to share their cores.
template <typename Work>
void parallel_for(int64_t size, int num_threads, const Work &work) {
#pragma omp parallel for num_threads(num_threads) schedule(static, 1)
  for (int t = 0; t < num_threads; t++)
    work(t, size * t / num_threads, size * (t + 1) / num_threads);
}
