#include "textflag.h"

// Both walk over n taps with the sums of four panels in Y0..Y3. AX, R8, R9, R10 are the panels' weights, R11 the offset
// in them: 32 bytes a step.

// func dotFloatWide(sum *[32]float32, x *float32, n int, w *float32, stride int)
TEXT ·dotFloatWide(SB), NOSPLIT, $0-40
	MOVQ sum+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ w+24(FP), AX
	MOVQ stride+32(FP), BX
	LEAQ (AX)(BX*1), R8
	LEAQ (AX)(BX*2), R9
	LEAQ (R8)(BX*2), R10
	VMOVUPS 0(DI), Y0
	VMOVUPS 32(DI), Y1
	VMOVUPS 64(DI), Y2
	VMOVUPS 96(DI), Y3
	XORQ R11, R11
	TESTQ CX, CX
	JLE  floatdone

floattap:
	VBROADCASTSS (SI), Y4
	VMULPS (AX)(R11*1), Y4, Y5
	VMULPS (R8)(R11*1), Y4, Y6
	VMULPS (R9)(R11*1), Y4, Y7
	VMULPS (R10)(R11*1), Y4, Y8
	VADDPS Y5, Y0, Y0
	VADDPS Y6, Y1, Y1
	VADDPS Y7, Y2, Y2
	VADDPS Y8, Y3, Y3
	ADDQ $4, SI
	ADDQ $32, R11
	DECQ CX
	JNZ  floattap

floatdone:
	VMOVUPS Y0, 0(DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VMOVUPS Y3, 96(DI)
	VZEROUPPER
	RET

// func dotIntWide(sum *[32]int32, x *int16, n int, w *int16, stride int)
TEXT ·dotIntWide(SB), NOSPLIT, $0-40
	MOVQ sum+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ w+24(FP), AX
	MOVQ stride+32(FP), BX
	LEAQ (AX)(BX*1), R8
	LEAQ (AX)(BX*2), R9
	LEAQ (R8)(BX*2), R10
	VMOVDQU 0(DI), Y0
	VMOVDQU 32(DI), Y1
	VMOVDQU 64(DI), Y2
	VMOVDQU 96(DI), Y3
	XORQ R11, R11
	TESTQ CX, CX
	JLE  intdone

inttaps:
	VPBROADCASTD (SI), Y4
	VPMADDWD (AX)(R11*1), Y4, Y5
	VPMADDWD (R8)(R11*1), Y4, Y6
	VPMADDWD (R9)(R11*1), Y4, Y7
	VPMADDWD (R10)(R11*1), Y4, Y8
	VPADDD Y5, Y0, Y0
	VPADDD Y6, Y1, Y1
	VPADDD Y7, Y2, Y2
	VPADDD Y8, Y3, Y3
	ADDQ $4, SI
	ADDQ $32, R11
	DECQ CX
	JNZ  inttaps

intdone:
	VMOVDQU Y0, 0(DI)
	VMOVDQU Y1, 32(DI)
	VMOVDQU Y2, 64(DI)
	VMOVDQU Y3, 96(DI)
	VZEROUPPER
	RET
