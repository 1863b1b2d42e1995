-- PostgreSQL runs this once, when its volume is empty: the registry's database beside Dagster's.
CREATE DATABASE registry;
