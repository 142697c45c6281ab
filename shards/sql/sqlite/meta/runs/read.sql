SELECT claimed FROM id_run
