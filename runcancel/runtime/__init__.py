"""Threads, rates, retries and clocks: how work is carried out."""
