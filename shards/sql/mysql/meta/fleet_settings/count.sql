SELECT COUNT(*) FROM fleet_setting
