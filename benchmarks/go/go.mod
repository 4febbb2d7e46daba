module benchmarks

go 1.21

require github.com/staskobzar/goami2 v1.7.7
