-- The meta database lies beside shard 0. The account is the one that the image made.
CREATE DATABASE drawbridge_meta;
GRANT ALL ON drawbridge_meta.* TO 'drawbridge'@'%';
