"""Writes features of the shards of a dataset in the layouts of other tools.

- :mod:`.shards`: what every layout is made of. :mod:`.files`: the folder that a layout is written into.
- :mod:`.twins`: DataComp's and dataset2metadata's. :mod:`.vectors`: clip-retrieval's and emb-explorer's.

Equal features give equal bytes. A file is complete or absent; what an earlier export has written and this one does
not is removed.
"""
