-- Whoever waits for an exclusive lock keeps later shared ones waiting: not for longer than this.
SET SESSION innodb_lock_wait_timeout = 1
