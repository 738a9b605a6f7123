"""Attacks on the guards, from outside: hostile lists, plans and requests never make a cancel do more."""
