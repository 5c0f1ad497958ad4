#pragma once

#include <cstdint>
#include <thread>
#include <vector>

// Calls work(thread, begin, end) on equal shares of [0, size). Threads of its own:
// a second OpenMP runtime beside the one of PyTorch would fight it for the cores.
template <typename Work>
void parallel_for(int64_t size, int num_threads, const Work &work) {
  std::vector<std::thread> threads;
  for (int t = 0; t < num_threads; t++) {
    const int64_t begin = size * t / num_threads;
    const int64_t end = size * (t + 1) / num_threads;
    if (t + 1 < num_threads)
      threads.emplace_back(work, t, begin, end);
    else
      work(t, begin, end);
  }
  for (auto &thread : threads) thread.join();
}
