# expect: 6: bad duration
flow "x" {
  language = "en"
  start    = "m"
  echo "m" {
    limit = "24h"
    next = "bye"
  }
  hangup "bye" {}
}
