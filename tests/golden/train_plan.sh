# The paper's 7B: parameters, C = M D = 8.46e22 (arXiv 2401.02954, tables 2 and 3), steps and memory.
tamis-train --plan -c 7b
