"""An explained tape, shown: each module is one view, and ``summary`` has arrays in few words."""
