#include "go_asm.h"
#include "textflag.h"

// The dot loops walk over n steps of the taps with the sums of some pixels and 32 channels in registers. A step is 128 bytes
// of weights and four bytes of each pixel: a float32, or a pair of int16. The pixels lie BX bytes apart: three from SI on,
// three from R8, two from R9.

#define ARGS \
	MOVQ sum+0(FP), DI   \
	MOVQ x+8(FP), SI     \
	MOVQ step+16(FP), BX \
	MOVQ n+24(FP), CX    \
	MOVQ w+32(FP), AX    \
	LEAQ (SI)(BX*2), R8  \
	ADDQ BX, R8          \
	LEAQ (R8)(BX*2), R9  \
	ADDQ BX, R9

#define NEXT \
	ADDQ $4, SI   \
	ADDQ $4, R8   \
	ADDQ $4, R9   \
	ADDQ $128, AX

// With 512 bits, two registers hold a pixel's sums, and Z16 and Z17 the weights.

#define LOAD512(at, a, b) \
	VMOVUPS at*128(DI), a    \
	VMOVUPS at*128+64(DI), b

#define STORE512(at, a, b) \
	VMOVUPS a, at*128(DI)    \
	VMOVUPS b, at*128+64(DI)

#define EIGHT(DO) \
	DO(0, Z0, Z1)   \
	DO(1, Z2, Z3)   \
	DO(2, Z4, Z5)   \
	DO(3, Z6, Z7)   \
	DO(4, Z8, Z9)   \
	DO(5, Z10, Z11) \
	DO(6, Z12, Z13) \
	DO(7, Z14, Z15)

#define FOUR(DO) \
	DO(0, Z0, Z1) \
	DO(1, Z2, Z3) \
	DO(2, Z4, Z5) \
	DO(3, Z6, Z7)

#define ONE(DO) \
	DO(0, Z0, Z1)

#define WEIGHTS512 \
	VMOVUPS (AX), Z16   \
	VMOVUPS 64(AX), Z17

// x comes from memory with each of its uses: a broadcast of its own takes a place among the arithmetic.
#define FLOAT512(x, a, b) \
	VMULPS.BCST x, Z16, Z19 \
	VMULPS.BCST x, Z17, Z20 \
	VADDPS Z19, a, a        \
	VADDPS Z20, b, b

#define INT512(x, a, b) \
	VPBROADCASTD x, Z18    \
	VPMADDWD Z16, Z18, Z19 \
	VPMADDWD Z17, Z18, Z20 \
	VPADDD Z19, a, a       \
	VPADDD Z20, b, b

#define VNNI512(x, a, b) \
	VPDPWSSD.BCST x, Z16, a \
	VPDPWSSD.BCST x, Z17, b

#define STEP8(DO) \
	DO((SI), Z0, Z1)         \
	DO((SI)(BX*1), Z2, Z3)   \
	DO((SI)(BX*2), Z4, Z5)   \
	DO((R8), Z6, Z7)         \
	DO((R8)(BX*1), Z8, Z9)   \
	DO((R8)(BX*2), Z10, Z11) \
	DO((R9), Z12, Z13)       \
	DO((R9)(BX*1), Z14, Z15)

#define STEP4(DO) \
	DO((SI), Z0, Z1)       \
	DO((SI)(BX*1), Z2, Z3) \
	DO((SI)(BX*2), Z4, Z5) \
	DO((R8), Z6, Z7)

#define STEP1(DO) \
	DO((SI), Z0, Z1)

#define SUM512(EACH, STEP, PRODUCT) \
	ARGS            \
	EACH(LOAD512)   \
loop:                   \
	WEIGHTS512      \
	STEP(PRODUCT)   \
	NEXT            \
	DECQ CX         \
	JNZ  loop       \
	EACH(STORE512)  \
	VZEROUPPER      \
	RET

// func dotFloat8(sum, x *float32, step, n int, w *float32)
TEXT ·dotFloat8(SB), NOSPLIT, $0-40
	SUM512(EIGHT, STEP8, FLOAT512)

// func dotFloat4(sum, x *float32, step, n int, w *float32)
TEXT ·dotFloat4(SB), NOSPLIT, $0-40
	SUM512(FOUR, STEP4, FLOAT512)

// func dotFloat1(sum, x *float32, step, n int, w *float32)
TEXT ·dotFloat1(SB), NOSPLIT, $0-40
	SUM512(ONE, STEP1, FLOAT512)

// func dotInt8(sum *int32, x *int16, step, n int, w *int16)
TEXT ·dotInt8(SB), NOSPLIT, $0-40
	SUM512(EIGHT, STEP8, INT512)

// func dotInt4(sum *int32, x *int16, step, n int, w *int16)
TEXT ·dotInt4(SB), NOSPLIT, $0-40
	SUM512(FOUR, STEP4, INT512)

// func dotInt1(sum *int32, x *int16, step, n int, w *int16)
TEXT ·dotInt1(SB), NOSPLIT, $0-40
	SUM512(ONE, STEP1, INT512)

// func dotInt8VNNI(sum *int32, x *int16, step, n int, w *int16)
TEXT ·dotInt8VNNI(SB), NOSPLIT, $0-40
	SUM512(EIGHT, STEP8, VNNI512)

// func dotInt4VNNI(sum *int32, x *int16, step, n int, w *int16)
TEXT ·dotInt4VNNI(SB), NOSPLIT, $0-40
	SUM512(FOUR, STEP4, VNNI512)

// func dotInt1VNNI(sum *int32, x *int16, step, n int, w *int16)
TEXT ·dotInt1VNNI(SB), NOSPLIT, $0-40
	SUM512(ONE, STEP1, VNNI512)

// With 256 bits it takes four registers.

#define LOAD256(at, a, b, c, d) \
	VMOVUPS at*128(DI), a    \
	VMOVUPS at*128+32(DI), b \
	VMOVUPS at*128+64(DI), c \
	VMOVUPS at*128+96(DI), d

#define STORE256(at, a, b, c, d) \
	VMOVUPS a, at*128(DI)    \
	VMOVUPS b, at*128+32(DI) \
	VMOVUPS c, at*128+64(DI) \
	VMOVUPS d, at*128+96(DI)

#define FLOAT256(x, a, b, c, d) \
	VBROADCASTSS x, Y8     \
	VMULPS (AX), Y8, Y9    \
	VMULPS 32(AX), Y8, Y10 \
	VMULPS 64(AX), Y8, Y11 \
	VMULPS 96(AX), Y8, Y12 \
	VADDPS Y9, a, a        \
	VADDPS Y10, b, b       \
	VADDPS Y11, c, c       \
	VADDPS Y12, d, d

#define INT256(x, a, b, c, d) \
	VPBROADCASTD x, Y8       \
	VPMADDWD (AX), Y8, Y9    \
	VPMADDWD 32(AX), Y8, Y10 \
	VPMADDWD 64(AX), Y8, Y11 \
	VPMADDWD 96(AX), Y8, Y12 \
	VPADDD Y9, a, a          \
	VPADDD Y10, b, b         \
	VPADDD Y11, c, c         \
	VPADDD Y12, d, d

// func dotFloat2Narrow(sum, x *float32, step, n int, w *float32)
TEXT ·dotFloat2Narrow(SB), NOSPLIT, $0-40
	ARGS
	LOAD256(0, Y0, Y1, Y2, Y3)
	LOAD256(1, Y4, Y5, Y6, Y7)
loop:
	FLOAT256((SI), Y0, Y1, Y2, Y3)
	FLOAT256((SI)(BX*1), Y4, Y5, Y6, Y7)
	NEXT
	DECQ CX
	JNZ  loop
	STORE256(0, Y0, Y1, Y2, Y3)
	STORE256(1, Y4, Y5, Y6, Y7)
	VZEROUPPER
	RET

// func dotFloat1Narrow(sum, x *float32, step, n int, w *float32)
TEXT ·dotFloat1Narrow(SB), NOSPLIT, $0-40
	ARGS
	LOAD256(0, Y0, Y1, Y2, Y3)
loop:
	FLOAT256((SI), Y0, Y1, Y2, Y3)
	NEXT
	DECQ CX
	JNZ  loop
	STORE256(0, Y0, Y1, Y2, Y3)
	VZEROUPPER
	RET

// func dotInt2Narrow(sum *int32, x *int16, step, n int, w *int16)
TEXT ·dotInt2Narrow(SB), NOSPLIT, $0-40
	ARGS
	LOAD256(0, Y0, Y1, Y2, Y3)
	LOAD256(1, Y4, Y5, Y6, Y7)
loop:
	INT256((SI), Y0, Y1, Y2, Y3)
	INT256((SI)(BX*1), Y4, Y5, Y6, Y7)
	NEXT
	DECQ CX
	JNZ  loop
	STORE256(0, Y0, Y1, Y2, Y3)
	STORE256(1, Y4, Y5, Y6, Y7)
	VZEROUPPER
	RET

// func dotInt1Narrow(sum *int32, x *int16, step, n int, w *int16)
TEXT ·dotInt1Narrow(SB), NOSPLIT, $0-40
	ARGS
	LOAD256(0, Y0, Y1, Y2, Y3)
loop:
	INT256((SI), Y0, Y1, Y2, Y3)
	NEXT
	DECQ CX
	JNZ  loop
	STORE256(0, Y0, Y1, Y2, Y3)
	VZEROUPPER
	RET

// func depthFloat(out, x, w, bias *float32, r *depthRow)
TEXT ·depthFloat(SB), NOSPLIT, $0-40
	MOVQ out+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ w+16(FP), AX
	MOVQ bias+24(FP), DX
	MOVQ r+32(FP), R8
	MOVQ depthRow_channels(R8), CX
	MOVQ depthRow_pixel(R8), BX
	VBROADCASTSS depthRow_lo(R8), Z1
	VBROADCASTSS depthRow_hi(R8), Z2
	SHRQ $4, CX
channels:
	VMOVUPS (DX), Z3
	PUSHQ DI
	PUSHQ SI
	MOVQ depthRow_pixels(R8), R9
pixels:
	VPXORD Z0, Z0, Z0
	MOVQ SI, R10 // the window's row, and the weights'
	MOVQ AX, R11
	MOVQ depthRow_rows(R8), R12
rows:
	MOVQ R10, R13
	MOVQ R11, R15
	MOVQ depthRow_taps(R8), R14
taps:
	VMOVUPS (R13), Z4
	VMULPS (R15), Z4, Z4
	VADDPS Z4, Z0, Z0
	ADDQ depthRow_tap(R8), R13
	ADDQ BX, R15
	DECQ R14
	JNZ  taps
	ADDQ depthRow_row(R8), R10
	ADDQ depthRow_weightRow(R8), R11
	DECQ R12
	JNZ  rows
	VADDPS Z3, Z0, Z0
	VMAXPS Z0, Z1, Z0 // NaN, if Z0 is
	VMINPS Z0, Z2, Z0
	VMOVUPS Z0, (DI)
	ADDQ BX, DI
	ADDQ depthRow_step(R8), SI
	DECQ R9
	JNZ  pixels
	POPQ SI
	POPQ DI
	ADDQ $64, DI
	ADDQ $64, SI
	ADDQ $64, AX
	ADDQ $64, DX
	DECQ CX
	JNZ  channels
	VZEROUPPER
	RET

// func tapsInt(sum *int32, x *int8, w *int32, taps, channels, n int, zero int32)
TEXT ·tapsInt(SB), NOSPLIT, $0-52
	MOVQ sum+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ w+16(FP), AX
	MOVQ taps+24(FP), DX
	MOVQ channels+32(FP), BX
	MOVQ n+40(FP), CX
	MOVL zero+48(FP), R12
	VPBROADCASTD R12, Z3
	LEAQ (BX*4), R11
	SHRQ $4, CX
channels:
	VMOVDQU32 (DI), Z0
	MOVQ DX, R8
	MOVQ SI, R9
	MOVQ AX, R10
taps:
	VPMOVSXBD (R9), Z1
	VPSUBD Z3, Z1, Z1
	VPMULLD (R10), Z1, Z1
	VPADDD Z1, Z0, Z0
	ADDQ BX, R9
	ADDQ R11, R10
	DECQ R8
	JNZ  taps
	VMOVDQU32 Z0, (DI)
	ADDQ $64, DI
	ADDQ $16, SI
	ADDQ $64, AX
	DECQ CX
	JNZ  channels
	VZEROUPPER
	RET

// func finishFloat(out, sum, bias *float32, step, pixels int, lo, hi float32)
TEXT ·finishFloat(SB), NOSPLIT, $0-48
	MOVQ out+0(FP), DI
	MOVQ sum+8(FP), SI
	MOVQ bias+16(FP), AX
	MOVQ step+24(FP), BX
	MOVQ pixels+32(FP), CX
	VBROADCASTSS lo+40(FP), Z2
	VBROADCASTSS hi+44(FP), Z3
	VMOVUPS (AX), Z4
	VMOVUPS 64(AX), Z5
loop:
	VADDPS (SI), Z4, Z0
	VADDPS 64(SI), Z5, Z1
	VMAXPS Z0, Z2, Z0 // NaN, if Z0 is
	VMAXPS Z1, Z2, Z1
	VMINPS Z0, Z3, Z0
	VMINPS Z1, Z3, Z1
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	ADDQ BX, DI
	ADDQ $128, SI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func finishInt(out *int8, sum *int32, ratio *float32, n int, lo, hi float32, zero int32)
TEXT ·finishInt(SB), NOSPLIT, $0-44
	MOVQ out+0(FP), DI
	MOVQ sum+8(FP), SI
	MOVQ ratio+16(FP), AX
	MOVQ n+24(FP), CX
	VBROADCASTSS lo+32(FP), Z1
	VBROADCASTSS hi+36(FP), Z2
	MOVL zero+40(FP), R12
	VPBROADCASTD R12, Z3
	SHRQ $4, CX
loop:
	VCVTDQ2PS (SI), Z0
	VMULPS (AX), Z0, Z0
	VMAXPS Z1, Z0, Z0
	VMINPS Z2, Z0, Z0
	VCVTPS2DQ Z0, Z0
	VPADDD Z3, Z0, Z0
	VPMOVSDB Z0, (DI)
	ADDQ $16, DI
	ADDQ $64, SI
	ADDQ $64, AX
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func centre(out *int16, x *int8, n int, zero int16)
TEXT ·centre(SB), NOSPLIT, $0-26
	MOVQ out+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
	VPBROADCASTW zero+24(FP), Y1
	SHRQ $4, CX
loop:
	VPMOVSXBW (SI), Y0
	VPSUBW Y1, Y0, Y0
	VMOVDQU Y0, (DI)
	ADDQ $32, DI
	ADDQ $16, SI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func extremesWide(ends *[2][16]int32, x *float32, n int)
TEXT ·extremesWide(SB), NOSPLIT, $0-24
	MOVQ ends+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
	SHRQ $4, CX
	VMOVDQU32 (SI), Z0
	VPSRAD $31, Z0, Z2
	VPSRLD $1, Z2, Z2
	VPXORD Z2, Z0, Z0
	VMOVDQA32 Z0, Z1
loop:
	VMOVDQU32 (SI), Z3
	VPSRAD $31, Z3, Z2
	VPSRLD $1, Z2, Z2
	VPXORD Z2, Z3, Z3
	VPMINSD Z3, Z0, Z0
	VPMAXSD Z3, Z1, Z1
	ADDQ $64, SI
	DECQ CX
	JNZ  loop
	VMOVDQU32 Z0, (DI)
	VMOVDQU32 Z1, 64(DI)
	VZEROUPPER
	RET
