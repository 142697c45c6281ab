UPDATE id_run SET claimed = claimed + 1
