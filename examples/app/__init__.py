"""A small SMART app: a notebook of measurements that a person lets read a part of his record."""
