from benchmarks.serving.ranking import main

main()
