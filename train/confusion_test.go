package train

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"reflect"
	"testing"

	"mnet-edge/model"
)

// The picture has a dark square where a class was taken for what it is or for another, and white where it never was.
func TestConfusionPicture(t *testing.T) {
	m := confusion{{0, 10, 0}, {10, 0, 0}, {0, 0, 10}}
	b, err := m.picture("three classes", []string{"first", "second", "third"})
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	// Of the cells that are full there is one in each row, counted from the top: second, first, third column.
	full := map[image.Point]bool{}
	low, high := image.Pt(1<<30, 1<<30), image.Point{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if r, g, b, _ := img.At(x, y).RGBA(); r>>8 == 8 && g>>8 == 64 && b>>8 == 129 {
				full[image.Pt(x, y)] = true
				low = image.Pt(min(low.X, x), min(low.Y, y))
				high = image.Pt(max(high.X, x), max(high.Y, y))
			}
		}
	}
	size := high.Sub(low)
	var got [][]int
	for row := range 3 {
		for column := range 3 {
			// A quarter into the cell there is no digit.
			if full[low.Add(image.Pt(size.X*(4*column+1)/12, size.Y*(4*row+1)/12))] {
				got = append(got, []int{row, column})
			}
		}
	}
	if fmt.Sprint(got) != "[[0 1] [1 0] [2 2]]" {
		t.Errorf("full cells (row, column) %v", got)
	}
}

// Many classes, and a class without images, still give a picture.
func TestConfusionPictureOfMany(t *testing.T) {
	m := newConfusion(100)
	m[3][4] = 2
	names := make([]string, 100)
	b, err := m.picture("many", names)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(b)); err != nil {
		t.Error(err)
	}
}

// A run counts each test image in the row of its label and the column of what it is taken for.
func TestConfusionCounts(t *testing.T) {
	r, err := Preset(PresetSeed)
	if err != nil {
		t.Fatal(err)
	}
	r.Batch = 8
	set := patterns(8, 23).Test // no multiple of the batch
	tr := testTrainer(t, goBackend(t), tinySpec(model.NetD), r, 10)
	got := newConfusion(4)
	_, correct, err := (&run{t: tr}).evaluate(t.Context(), &set, got)
	if err != nil {
		t.Fatal(err)
	}
	want, off := newConfusion(4), 0
	for i, label := range set.Labels {
		_, _, predicted, err := tr.Eval(set.Image(i), []int32{int32(label)})
		if err != nil {
			t.Fatal(err)
		}
		if want[label][predicted[0]]++; int32(label) != predicted[0] {
			off++
		}
	}
	if !reflect.DeepEqual(got, want) || correct != set.N-off {
		t.Errorf("%d right, counted as %v; one by one %v", correct, got, want)
	}
	if off == 0 {
		t.Error("no image is taken for another: rows and columns are not told apart")
	}
}
