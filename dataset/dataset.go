package dataset

// Split is one part of a Set: N images of H x W RGB pixels with their labels.
type Split struct {
	N, H, W int
	Pixels  []byte   // (N, H, W, 3), 0..255
	Labels  []uint16 // (N), index into Set.Classes
	Names   []string // (N) where the images have names (class folders), else nil
}

// Image returns the pixels of image i, (H, W, 3), sharing memory with the split.
func (s *Split) Image(i int) []byte {
	n := s.H * s.W * 3
	return s.Pixels[i*n : (i+1)*n : (i+1)*n]
}

// Set is a labelled collection of images with its training and test parts, which share no image.
type Set struct {
	Name    string   // "cifar10", "fashion-mini", or the folder's or archive's name
	Classes []string // label names, in label order
	Train   Split
	Test    Split
	SHA256  string // of the decoded pixels and labels, train then test: two sources of the same images agree
	Lossy   string // what the user should know of the data's origin ("decoded from JPEG", "resized from 28x28 gray"), "" if nothing
}
