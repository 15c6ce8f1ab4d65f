"""The laws, one function each, in the contract's words.

=========================================  ============================  ================================
law                                        where                         when it is asked
=========================================  ============================  ================================
L1 no echo                                 `peace.l1_no_echo`            after the run that follows peace
L2 no duplicate                            `writes.l2_no_duplicate`      with each create
                                           `runs.l2_one_open_copy`       after each run
L3 no false completion                     `writes.l3_no_false_…`        with each close
L4 no lost completion                      `peace.l4_no_lost_…`          in peace
L5 one open                                `writes.l3_no_false_…`        with each close that a create caused
L6 hands off                               `writes.l6_hands_off`         with each write
                                           `runs.l6_races_are_told`      after each run
                                           `peace.l6_put_back`           in peace
L7 convergence, L8 nothing silent          `peace.l7_…`, `peace.l8_…`    in peace
L9 absence is no evidence                  `writes.l9_absence_…`         with each create
L10 no lost edit                           `edits.written`               with each edit
                                           `edits.nothing_is_lost`       in peace
L11 one for itself                         `peace` as a whole            only what `ailing` names is excused
contact, copy, slot, lease, ledger, limit  `writes`, `runs`              with each write, after each run
=========================================  ============================  ================================
"""

from __future__ import annotations
