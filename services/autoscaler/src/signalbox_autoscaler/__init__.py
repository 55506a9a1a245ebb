"""Sizes burst workers: observes every task queue, decides how many workers it needs, launches, drains.

- `loop`: the ticks; observe, decide, execute, record. Only the leader decides.
- `observe`: reads backlogs, workers and hints, and builds a `QueueSnapshot` per queue.
- `sizing`: `decide` computes the number of burst workers. Pure; that number is computed nowhere else.
- `actuate`: `executor` carries a decision out and requests launches; `launch_ledger` reserves their money
  first; `lease` elects the leader; `reconciliation` determines the outcome of each launch.
- `providers`: Cloud Run, Kubernetes and local processes, which run the workers.
- `audit`: the decision log, the explanation of a decision, and its recomputation from the log.
- `model`: the values that all of these exchange. `policies`: the policy file. `app`: the HTTP API.
  `wiring`: the composition.
"""
