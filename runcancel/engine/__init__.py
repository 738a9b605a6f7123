"""Look up, select, plan, cancel, watch, judge."""
