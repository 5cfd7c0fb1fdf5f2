package native

// assembler are this architecture's families, the fastest first.
var assembler = []*kernels{&dotprod, &neon}
