"""From which sizes on a program does things in another way, and why there."""

from __future__ import annotations

# Several elementwise ops in a row, one of which only feeds the next, are done block by block if
# they are this large: a block stays in the processor's cache, where an op takes half as long.
FUSE = 2**15  # entries
BLOCK = 2**17  # bytes

# A product of matrices with this few terms in each sum takes little more time by blocks than as a
# whole. Made that way, it needs no array that would be large.
THIN = 16

# OpenBLAS makes a product of this many terms or fewer in one thread, which starts at once.
ALONE = 2**18

# The sum of so few products is as accurate when BLAS takes it as when np.add does, which adds by
# pairs. Of the sums along one axis of a matrix, those over the rows are: np.add adds row to row.
INNER_MOST = 2**10
ROW_MOST = 2**7

# An array this large is made when it is needed and let go of when it is not: it would be most of
# the memory between the calls, and making it takes little of the time that filling it does.
LARGE = 2**22  # bytes
