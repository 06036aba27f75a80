# expect: 0: no flow
